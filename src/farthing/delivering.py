"""What a served hub tells others by itself: put together here, and run beside it."""

import contextlib
from collections.abc import AsyncGenerator

from farthing.app import Hub
from farthing.notifiers.outside import Networks, Outside
from farthing.services.carrying import Patience
from farthing.services.courier import Courier


@contextlib.asynccontextmanager
async def delivering(hub: Hub) -> AsyncGenerator[None]:
    """Send events to webhooks as long as the hub is served."""
    settings = hub.desk.config.webhooks
    outside = Outside(Networks(settings.allow_networks), settings.timeout_seconds)
    patience = Patience(off_after_seconds=settings.off_after_hours * 3600)
    courier = Courier(hub.ctx, outside.post, patience)
    courier.start()
    try:
        yield
    finally:
        await courier.stop()
        await outside.close()
