"""Console pages with three rows run at most fifteen queries."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.tests.test_admin_isolation import SINGLE, VISIBLE
from config.tests.test_admin_pages import address, get_model_label, make

MOST = 15


@pytest.mark.parametrize("model_admin", VISIBLE, ids=get_model_label)
def test_list_and_change_pages_run_at_most_fifteen_queries(model_admin, member, admin_client):
    rows = make(model_admin, member)
    if get_model_label(model_admin) not in SINGLE:
        rows += make(model_admin, member, 2)
    pages = {"changelist": (), "change": (rows[0].pk,)}
    counted = {}
    for page, args in pages.items():
        admin_client.get(address(model_admin, page, *args))
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(address(model_admin, page, *args)).status_code == 200
        counted[page] = len(queries)

    assert {page: number for page, number in counted.items() if number > MOST} == {}
