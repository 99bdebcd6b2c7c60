"""Series as Prometheus would have scraped them: of a hub in good health, and of each fault.

Values are in promtool's notation, one a minute: `0+4x30` begins at 0 and grows by 4, thirty times.
"""

HUB = 'job="farthing-hub", instance="hub"'
SELLER = 'job="farthing-proxy", instance="proxy"'
DAY = 86_400

_UNHEARD = f'farthing_hub_call_failures_total{{{SELLER}, step="capture", code="hub-busy"}}'

HEALTHY = {
    f"up{{{HUB}}}": "1x480",
    f"up{{{SELLER}}}": "1x480",
    f"farthing_ready{{{HUB}}}": "1x480",
    f"farthing_books_writable{{{HUB}}}": "1x480",
    f"process_start_time_seconds{{{HUB}}}": "1x480",
    f"farthing_books_queue_units{{{HUB}}}": "12x480",
    f"farthing_books_queue_units_max{{{HUB}}}": "20000x480",
    f'farthing_http_refused_total{{{HUB}, status="429", by="app"}}': "0+1x480",
    f'farthing_http_refused_total{{{HUB}, status="401", by="app"}}': "0+2x480",
    f'farthing_http_requests_total{{{HUB}, endpoint="pay", status="2xx"}}': "0+600x480",
    f'farthing_http_requests_total{{{HUB}, endpoint="pay", status="5xx"}}': "0x480",
    f'farthing_http_requests_total{{{HUB}, endpoint="readyz", status="5xx"}}': "0+60x480",
    f'farthing_payment_seconds_bucket{{{HUB}, step="authorise", le="0.01"}}': "0+590x480",
    f'farthing_payment_seconds_bucket{{{HUB}, step="authorise", le="0.5"}}': "0+600x480",
    f'farthing_payment_seconds_bucket{{{HUB}, step="authorise", le="+Inf"}}': "0+600x480",
    f"farthing_worker_rounds_total{{{HUB}}}": "0+120x480",
    f"farthing_hold_overdue_seconds{{{HUB}}}": "0x480",
    f"farthing_risk_judging_seconds_sum{{{HUB}}}": "0+0.03x480",  # 600 orders at 50 µs.
    f"farthing_risk_judged_total{{{HUB}}}": "0+600x480",
    f'farthing_risk_model_usable{{{HUB}, role="champion"}}': "1x480",
    f"farthing_audit_ok{{{HUB}}}": "1x480",
    f"farthing_audit_time_seconds{{{HUB}}}": "0x480",  # At the moment the series begin.
    f"farthing_heads_not_noted_total{{{HUB}}}": "0x480",
    f"farthing_clock_seconds{{{HUB}}}": "0.2+60x480",
    f'farthing_disk_free_bytes{{{HUB}, place="books"}}': "50000000000-1000000x480",
    f'farthing_disk_size_bytes{{{HUB}, place="books"}}': "100000000000x480",
    f"farthing_tls_certificate_expiry_seconds{{{HUB}}}": f"{60 * DAY}x480",
    f"process_open_fds{{{HUB}}}": "300x480",
    f"process_max_fds{{{HUB}}}": "65536x480",
    f'farthing_payments_total{{{HUB}, state="captured", reason="", asset="USD"}}': "0+600x480",
    f'farthing_payments_total{{{HUB}, state="refused", reason="mandate-budget", asset="USD"}}': (
        "0+9x480"  # Budgets are used up every day; nobody need be told.
    ),
    f'farthing_signatures_total{{{HUB}, verdict="bad"}}': "0+1x480",
    _UNHEARD: "0x480",
    f'farthing_upstream_failures_total{{{SELLER}, code="upstream-failed"}}': "0x480",
    f"farthing_money_not_given_back{{{SELLER}}}": "0x480",
    f"farthing_meter_unsettled_seconds{{{SELLER}}}": "1x480",
    f'farthing_meter_unsettled_units{{{SELLER}, asset="USD"}}': "900x480",
    f"farthing_meter_unsettled_units_max{{{SELLER}}}": "1000000x480",
    f'farthing_meter_refused_total{{{SELLER}, code="session-over"}}': "0x480",
    f'farthing_meter_refused_total{{{SELLER}, code="voucher-superseded"}}': "0+60x480",
    f"farthing_offers_in_force{{{SELLER}}}": "4x480",
}

_REFUSED = f'farthing_payments_total{{{HUB}, state="refused", reason="mandate-payee", asset="USD"}}'
_SLOW = f'farthing_payment_seconds_bucket{{{HUB}, step="authorise", le='

FAULTS: dict[str, tuple[dict[str, str], int]] = {
    "FarthingHubDown": ({f"up{{{HUB}}}": "0x480"}, 2),
    "FarthingHubNotReady": ({f"farthing_ready{{{HUB}}}": "0x480"}, 2),
    "FarthingHubRestarts": ({f"process_start_time_seconds{{{HUB}}}": "0+60x9 600x470"}, 10),
    "FarthingBooksNotWritable": ({f"farthing_books_writable{{{HUB}}}": "0x480"}, 1),
    "FarthingQueueFilling": ({f"farthing_books_queue_units{{{HUB}}}": "9000x480"}, 3),
    "FarthingTurnsClientsAway": (
        {f'farthing_http_refused_total{{{HUB}, status="503", by="server"}}': "0+20x480"},
        15,
    ),
    "FarthingHubFails": (
        {f'farthing_http_requests_total{{{HUB}, endpoint="pay", status="5xx"}}': "0+3x480"},
        12,
    ),
    "FarthingPaymentsSlow": (
        {f'{_SLOW}"0.5"}}': "0+590x480", f'{_SLOW}"2.5"}}': "0+600x480"},
        20,
    ),
    "FarthingWorkerStuck": ({f"farthing_worker_rounds_total{{{HUB}}}": "77x480"}, 10),
    "FarthingHoldsOverdue": ({f"farthing_hold_overdue_seconds{{{HUB}}}": "61+60x480"}, 4),
    "FarthingJudgingSlow": ({f"farthing_risk_judging_seconds_sum{{{HUB}}}": "0+1.3x480"}, 17),
    "FarthingModelFailed": (
        {f'farthing_risk_model_usable{{{HUB}, role="champion"}}': "0x480"},
        7,
    ),
    "FarthingAuditFailed": ({f"farthing_audit_ok{{{HUB}}}": "0x480"}, 1),
    "FarthingAuditOverdue": ({f"farthing_audit_time_seconds{{{HUB}}}": f"-{2 * DAY + 9}x480"}, 65),
    "FarthingHeadsNotNoted": ({f"farthing_heads_not_noted_total{{{HUB}}}": "0 0 0 1x470"}, 5),
    "FarthingClockWrong": ({f"farthing_clock_seconds{{{HUB}}}": "9+60x480"}, 4),
    "FarthingDiskFilling": (
        {f'farthing_disk_free_bytes{{{HUB}, place="books"}}': "9000000000x480"},
        12,
    ),
    "FarthingDiskFullSoon": (
        {f'farthing_disk_free_bytes{{{HUB}, place="books"}}': "49000000000-60000000x480"},
        400,
    ),
    "FarthingCertificateExpires": (
        {f"farthing_tls_certificate_expiry_seconds{{{HUB}}}": f"{13 * DAY}x480"},
        65,
    ),
    "FarthingFilesRunOut": ({f"process_open_fds{{{HUB}}}": "60000x480"}, 7),
    "FarthingRefusalsUnusual": ({_REFUSED: "0+3x480"}, 15),
    "FarthingBadSignatures": (
        {f'farthing_signatures_total{{{HUB}, verdict="bad"}}': "0+9x480"},
        15,
    ),
    "FarthingKeysGuessed": (
        {f'farthing_http_refused_total{{{HUB}, status="401", by="app"}}': "0+60x480"},
        15,
    ),
    "FarthingProxyDown": ({f"up{{{SELLER}}}": "0x480"}, 2),
    "FarthingHubUnheard": ({_UNHEARD: "0+4x99"}, 9),
    "FarthingUpstreamFails": (
        {f'farthing_upstream_failures_total{{{SELLER}, code="upstream-failed"}}': "0+4x99"},
        9,
    ),
    "FarthingMoneyNotGivenBack": ({f"farthing_money_not_given_back{{{SELLER}}}": "2x480"}, 17),
    "FarthingPromisesUnsettled": ({f"farthing_meter_unsettled_seconds{{{SELLER}}}": "90x480"}, 4),
    "FarthingPromisesPileUp": (
        {f'farthing_meter_unsettled_units{{{SELLER}, asset="USD"}}': "600000x480"},
        3,
    ),
    "FarthingVouchersRefused": (
        {f'farthing_meter_refused_total{{{SELLER}, code="session-over"}}': "0+1x480"},
        17,
    ),
    "FarthingNothingForSale": ({f"farthing_offers_in_force{{{SELLER}}}": "0x480"}, 7),
}
"""What is changed of the healthy series, and after how many minutes the alert has fired."""
