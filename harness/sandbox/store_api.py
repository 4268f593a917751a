"""The API's calls on the store itself: the connection test and the settings."""

from harness.sandbox.call import Call, success


def test_connection(call: Call) -> bytes:
    """GET /test."""
    return success("Connection Successful", current_date_time=call.now)


def get_store(call: Call) -> bytes:
    """GET /store. As in OrderDesk, the settings contain secrets: a client must not keep or show them."""
    store = call.store
    settings = {
        "timezone": "America/Chicago",
        "store_email": f"store{store.id}@example.com",
        "currency": "USD",
        "api_key": store.api_key,
        "smtp_password": store.smtp_password,
    }
    folders = {str(number): name for number, name in store.catalogue.folders.items()}
    return success(store={"id": store.id, "name": store.name, "settings": settings, "folders": folders})
