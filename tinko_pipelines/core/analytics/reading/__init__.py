"""Figures for people and programs: one question, answered by the marts, the ledger, or both."""
