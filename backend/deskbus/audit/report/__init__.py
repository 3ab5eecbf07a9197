"""Reports and exports for people."""

__all__ = ["export", "export_file", "html_report", "report_data"]
