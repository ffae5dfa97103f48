"""Data may not make ig4 talk to hosts that are not public."""

import socket

import pytest

from ig4.core.files.remote.guard import PrivateAddressError, is_public, public_socket


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.0.192",
        "168.63.129.16", "192.88.99.1", "3fff::1", "::ffff:168.63.129.16",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "fec0::1", "localhost", "",
    ],
)  # fmt: skip
def test_hosts_that_are_not_public(host):
    assert not is_public(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_hosts(host):
    assert is_public(host)


def test_a_connection_is_checked_when_it_is_made():
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80))
    with pytest.raises(PrivateAddressError, match=r"169\.254\.169\.254, which is not public"):
        public_socket(info)
    with public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))) as made:
        assert made.fileno() > 0
