"""What does not fit is told with what would have fitted, and where."""

from typing import Any

import msgspec
import pytest

from farthing.config import Config
from farthing.misfits import misfit
from farthing.web.api.bodies import KeyBody, MandateBody, OwnerBody

BUDGET = {"name": "d", "per": "day", "limit": "1"}


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (KeyBody, {"scopes": ["root"]}, "choose metrics, operator, owner, read, seller - at `$.s"),
        (MandateBody, {"asset": "USD", "on_timeout": "pay"}, "choose allow, refuse"),
        (Config, {"books": {"engine": "mysql"}}, "choose postgresql, sqlite - at `$.books.engine`"),
        (KeyBody, {"scops": []}, "unknown field `scops`; did you mean `scopes`?"),
        (KeyBody, {"zz": []}, "there are: scopes, label, owner"),
        (MandateBody, {"asset": "USD", "budgets": [BUDGET | {"limt": "1"}]}, "mean `limit`?"),
        (MandateBody, {"asset": "USD", "largest": "1.5"}, 'such as "1500" - at `$.largest`'),
        (MandateBody, {"asset": "USD", "budgets": [BUDGET | {"limit": "x"}]}, 'such as "1500"'),
        (OwnerBody, {"name": " "}, 'such as "Parkside"'),
        (OwnerBody, {"name": 5}, "Expected `str`, got `int` - at `$.name`"),
        (OwnerBody, [], "Expected `object`, got `array`"),
        (Config, {"books": {"a`b\n": ""}}, "unknown field"),
        (Config, {"assets": {"USD": "x"}}, "Expected `int`, got `str` - at `$.assets[...]`"),
    ],
)
def test_a_misfit_is_told_so_that_it_can_be_mended(kind: Any, value: Any, told: str):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, kind, strict=True)
    assert told in misfit(kind, caught.value)
