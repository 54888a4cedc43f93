"""Stations 站点 and terminals 终端: enrolment, equipment, health."""
