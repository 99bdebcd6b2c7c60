"""Who is told what happens, and by which way."""

from typing import Annotated, Literal

import msgspec

from farthing.settings.told import MAILBOX, told


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where events may be sent, and how long an endpoint is waited for."""

    allow_networks: Annotated[
        list[str],
        told("networks of your own that webhooks may be sent to, also over plain HTTP"),
    ] = []
    timeout_seconds: Annotated[
        int, told("how long one try may take, its answer included", ge=1, le=60)
    ] = 10
    off_after_hours: Annotated[
        int, told("a webhook to which nothing got through for so long is turned off", ge=1)
    ] = 120


class NoticeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How people are told what happens: see docs/howto/be-told.md."""

    push: Annotated[bool, told("whether browsers that ask for it get pushes")] = True
    email_host: Annotated[
        str, told("the server that mail is handed in at; empty: nobody is told by mail")
    ] = ""
    email_port: Annotated[int, told("its port", ge=1, le=65535)] = 587
    email_security: Annotated[
        Literal["starttls", "tls", "none"],
        told("how the connection is secured; `none` for this machine alone"),
    ] = "starttls"
    email_user: Annotated[str, told("the name to sign in with there; empty: none")] = ""
    email_password_file: Annotated[
        str, told("a file with its password, for its owner's eyes only")
    ] = ""
    email_from: Annotated[
        str,
        told(
            "whom mail comes from: hub@hub.example", pattern=MAILBOX, examples=["hub@hub.example"]
        ),
    ] = "farthing@localhost"
    sms_host: Annotated[
        str, told("the message centre (SMPP) that text messages are handed in at; empty: none")
    ] = ""
    sms_port: Annotated[int, told("its port", ge=1, le=65535)] = 2775
    sms_security: Annotated[
        Literal["tls", "none"],
        told("how the connection is secured; `none` for this machine, or a network of your own"),
    ] = "tls"
    sms_user: Annotated[str, told("the name to sign in with there (`system_id`)")] = ""
    sms_password_file: Annotated[
        str, told("a file with its password, for its owner's eyes only")
    ] = ""
    sms_from: Annotated[
        str,
        told("whom text messages come from", pattern="^[A-Za-z0-9 ]{1,11}$", examples=["Hub"]),
    ] = "Farthing"
    webhooks: Annotated[
        bool, told("whether people may be told at a URL of their own, by signed messages")
    ] = True
    apprise_schemes: Annotated[
        list[str],
        told("services of Apprise that people may be told by, such as tgram; none unless named"),
    ] = []
    allow_networks: Annotated[
        list[str],
        told("networks of your own that pushes and people's webhooks may be sent to"),
    ] = []
