"""Messages to payers: the outbox, the channels, the words and the signed link in them.

`enqueue_payment_link` writes a row in the caller's transaction; `send_due` sends what is due.
"""

from tinko_pipelines.core.notifications.delivery import SendReport, send_due
from tinko_pipelines.core.notifications.outbox import cancel_for_obligation, enqueue_payment_link

__all__ = ["SendReport", "cancel_for_obligation", "enqueue_payment_link", "send_due"]
