"""Shared caches that stand in front of a shop, and keep whatever they may."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

from .places import nginx_user, process

NGINX = """
daemon off; {user} pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off; large_client_header_buffers 8 32k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_cache_path {folder}/cache keys_zone=kept:1m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For 203.0.113.9; proxy_set_header X-Forwarded-Proto https;
      proxy_buffer_size 32k; proxy_buffers 8 32k;
      proxy_cache kept; proxy_cache_key $uri$is_args$args; proxy_cache_lock on;
      proxy_cache_valid any 10m; proxy_cache_revalidate on;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""
VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{behind}"; }}
sub vcl_recv {{ set req.http.X-Forwarded-Proto = "https"; }}
sub vcl_backend_response {{ set beresp.grace = 10m; set beresp.keep = 10m; }}
sub vcl_deliver {{ set resp.http.X-Cache = obj.hits; }}
"""


def _found(name: str) -> str:
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        pytest.skip(f"{name} is not here: make setup-system")
    return found


@contextlib.contextmanager
def nginx(folder: Path, behind: int) -> Iterator[str]:
    """nginx, which keeps everything for ten minutes that is not private, under a careless key."""
    port, config = free_port(), folder / "cache.conf"
    config.write_text(NGINX.format(folder=folder, port=port, behind=behind, user=nginx_user()))
    with process(_found("nginx"), "-p", str(folder), "-c", str(config), port=port) as url:
        yield url


@contextlib.contextmanager
def varnish(folder: Path, behind: int) -> Iterator[str]:
    """Varnish, with its own rules."""
    port, config = free_port(), folder / "cache.vcl"
    config.write_text(VARNISH.format(behind=behind))
    command = [_found("varnishd"), "-F", "-j", "none", "-n", str(folder / "varnish")]
    command += ["-a", f"127.0.0.1:{port}", "-f", str(config), "-s", "malloc,8m"]
    with process(*command, "-p", "http_resp_hdr_len=32k", port=port) as url:
        yield url


CACHES: dict[str, Callable[[Path, int], contextlib.AbstractContextManager[str]]] = {
    "nginx": nginx,
    "varnish": varnish,
}
