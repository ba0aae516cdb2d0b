"""The labelled points of archival, where a test may kill the process."""

from __future__ import annotations

# in the order that a month passes them; "…ing" stands inside the step, before its commit
RUN = (
    "locked",
    "recorded",
    "exporting",
    "exported",
    "uploading",
    "uploaded",
    "reading_back",
    "read_back",
    "manifest",
    "verifying",
    "verified",
    "detaching",
    "detach_pending",
    "detached",
    "dropping",
    "dropped",
)
RESTORE = ("restoring", "loaded", "attaching", "restored")
LABELS = (*RUN, *RESTORE)
