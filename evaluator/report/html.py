"""report.html: one page that opens offline. Every string is escaped."""

from html import escape

from evaluator.report.markdown import markdown_report
from evaluator.rundata import RunData


def html_report(run: RunData) -> str:
    """Write the page; the same for the same run."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>mendbench</title><pre>{escape(markdown_report(run))}</pre></html>\n"
    )
