"""Everything that can be said and shown of one network -> one HTML file that opens offline.

::

    report.py      report: gathers, renders; Report with .html, .json and .save
    subject.py     what a report is about: analysis, findings, images, predictions
    sections.py    one function a section of facts: verdict, drawing, layers, findings, history, data, rerun
    answers.py     one function a section of answers: confusion, mistakes, calibration
    looking.py     one function a section of pictures: health, attention, weights, activations, exciting images
    pixels.py      arrays -> pictures inside the page
    curves.py      history, calibration -> SVG
    page.html.jinja, sections.html.jinja, page.css, page.js
"""

from depthwise.pages.report import Report, report

__all__ = ["Report", "report"]
