"""What a served hub tells others by itself: put together here, and run beside it."""

import contextlib
from collections.abc import AsyncGenerator

from farthing.app import Hub
from farthing.notifiers.outside import Networks, Outside
from farthing.services.carrying import Patience
from farthing.services.courier import Courier
from farthing.services.movements import Clerk
from farthing.services.telling import Teller


@contextlib.asynccontextmanager
async def delivering(hub: Hub) -> AsyncGenerator[None]:
    """Send events to webhooks, tell people, and look after movements, while the hub is served."""
    settings = hub.desk.config.webhooks
    outside = Outside(Networks(settings.allow_networks), settings.timeout_seconds)
    patience = Patience(off_after_seconds=settings.off_after_hours * 3600)
    courier = Courier(hub.ctx, outside.post, patience)
    clerk = Clerk(hub.ctx, hub.desk.movements)
    teller = Teller(hub.ctx, hub.desk.notices)
    courier.start()
    clerk.start()
    teller.start()
    try:
        yield
    finally:
        await teller.stop()
        await clerk.stop()
        await courier.stop()
        await outside.close()
