"""Reading over HTTP: `create_app` in `app.py`, its limits in `settings.py`; needs the extra `serve`."""
