"""UUIDv7 identifiers, compared with RFC 9562."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from config.db.ids import EPOCH, uuid7, uuid7_floor, uuid7_time
from config.tenancy.managers import min_id_bound

MOMENTS = st.datetimes(
    datetime(1970, 1, 2),
    datetime(9999, 12, 31),
    timezones=st.just(UTC),
)


def test_rfc_example():
    # RFC 9562, appendix A.6.
    example = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")

    assert uuid7_time(example) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_version_and_variant():
    made = uuid7()

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_ids_of_one_process_increase_across_threads():
    made, lock = [], threading.Lock()

    def make():
        for _ in range(2000):
            with lock:
                made.append(uuid7())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == sorted(made)
    assert len(set(made)) == 8000


@given(MOMENTS)
def test_time_comes_back_to_the_millisecond(moment):
    assert uuid7_time(uuid7(moment)) == moment - timedelta(microseconds=moment.microsecond % 1000)


@given(MOMENTS, MOMENTS)
def test_floor_bounds_the_ids_of_its_moment(moment, later):
    assert uuid7_floor(moment) <= uuid7(moment)
    if later - moment >= timedelta(milliseconds=1):
        assert uuid7(moment) < uuid7_floor(later + timedelta(milliseconds=1))


def test_other_versions_have_no_time():
    with pytest.raises(ValueError, match="not a UUIDv7"):
        uuid7_time(uuid4())


def test_server_and_process_agree_on_the_time(db):
    here = uuid7()
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuidv7(), uuid_extract_timestamp(%s)", [here])
        there, extracted = cursor.fetchone()

    assert extracted == uuid7_time(here)
    assert abs(uuid7_time(there) - uuid7_time(here)) < timedelta(minutes=1)


def test_bound_of_the_earliest_id_is_an_id():
    assert min_id_bound(UUID("00000000-0000-7000-8000-000000000000")) == uuid7_floor(EPOCH)


def test_id_after_the_year_9999_has_no_time():
    with pytest.raises(ValueError, match="outside the supported range"):
        uuid7_time(UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"))
