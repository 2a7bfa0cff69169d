"""The checks of confluent-kafka, against the broker given as argument."""

import sys

import admin_checks  # noqa: F401  registers its checks
import consumer_checks  # noqa: F401
import group_checks  # noqa: F401
import producer_checks  # noqa: F401
from checks import run_all
from client import Client

run_all(Client(sys.argv[1]))
