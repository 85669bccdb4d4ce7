"""Dashboards, made by code."""
