"""Figures: summary, series, breakdowns, heat map, cohorts, funnel, and what each of them means."""
