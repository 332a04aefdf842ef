"""Facts -> findings: judgement, one file a rule.  Knows nothing of torch, and no rule knows another.

``check_graph`` asks all of :data:`RULES`; a finding has remedies, some of them with a fix: changes of the graph.
"""

from depthwise.rules.checking import check_graph, check_misfit, check_training, choose_rules, matches
from depthwise.rules.finding import SEVERITIES, Costs, Finding, Fix, Price, Remedy, Severity
from depthwise.rules.findings import Findings
from depthwise.rules.forms import Checked, sarif_log, write_github
from depthwise.rules.register import RULES
from depthwise.rules.rule import FAMILIES, PROFILES, Example, Rule

__all__ = [
    "FAMILIES", "PROFILES", "RULES", "SEVERITIES", "Checked", "Costs", "Example", "Finding", "Findings", "Fix", "Price",
    "Remedy", "Rule", "Severity", "check_graph", "check_misfit", "check_training", "choose_rules", "matches",
    "sarif_log", "write_github",
]  # fmt: skip
