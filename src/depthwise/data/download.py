"""Files out of the internet, only when asked, and only with the content that is expected."""

import os
from pathlib import Path
from typing import Any

from depthwise.errors import DataError


def cache_folder() -> Path:
    """Where downloaded files lie: the folder that the system has for such things."""
    return Path(_pooch().os_cache("depthwise"))


def download(url: str, checksum: str, folder: Path) -> Path:
    """Fetch a file into a folder of the cache, unless it lies there already.

    Parameters
    ----------
    url
        What to fetch.
    checksum
        SHA-256 of its content.
    folder
        Where it goes, under the last word of its address; nothing is left there of what fails.

    Raises
    ------
    DataError
        It cannot be fetched, or has another content.
    """
    pooch = _pooch()
    import requests

    name = url.rpartition("/")[2]
    try:
        return Path(pooch.retrieve(url, known_hash=checksum, fname=name, path=folder))
    except ValueError as error:
        raise DataError(
            f"{url}: has not the expected SHA-256 {checksum}, so it is damaged or another file. Try again later."
        ) from error
    except requests.RequestException as error:
        raise DataError(
            f"{url}: cannot be fetched ({type(error).__name__}). Check the connection, or fetch it by other means "
            f"and put it into {folder}{os.sep}."
        ) from error
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error}). Make room there.") from error


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise DataError("downloads need the package pooch, which is missing. Run pip install pooch.") from error
    return pooch
