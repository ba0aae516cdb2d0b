"""Why a payment failed and what may happen next: codes as data, one answer per failure."""
