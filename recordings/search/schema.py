"""The index of words, which Django's models cannot tell of: its tables and functions.

PostgreSQL  one GIN index over the tokens of a text and the times it belongs to. A search goes from
            stretch to stretch of time, newest first: of a thousand texts, then as far as what is
            lacking should be by what was found, then through all the rest where that is not much.
            So a common word, a rare one and two that never meet are alike; a planner left alone
            takes 0.1 s for the first or 12 s for the second.
SQLite      FTS5 whose rowid is how far back a place is, so that its lists begin with the newest:
            it skips well ahead in a list, and badly backwards. Where a common word and a rare
            one meet among a million is found in 0.5 ms; with the place as the rowid, in 12.
            Without positions: a phrase is looked up in the text itself, as on PostgreSQL.
"""

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

LAST_PLACE = (1 << 63) - 1
TOKENS = """
CREATE FUNCTION recordings_tokens(place bigint, document text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_to_tsvector(string_to_array(btrim(document), ' ')
    || ('%47.' || (place >> 47)) || ('%51.' || (place >> 51)) || ('%55.' || (place >> 55)))
$$
"""
# Returns about how many texts match, from what ANALYZE knows of single words; in 0.2 ms. It is
# volatile in name only: a stable function may not EXPLAIN.
ESTIMATE = """
CREATE OR REPLACE FUNCTION recordings_estimate(asked tsquery[]) RETURNS float8
LANGUAGE plpgsql VOLATILE AS $$
DECLARE plan json; conditions text;
BEGIN
  SELECT string_agg(format('recordings_tokens(place, document) @@ %L::tsquery', each), ' AND ')
    INTO conditions FROM unnest(asked) each;
  EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM recordings_searchtext WHERE ' || conditions INTO plan;
  RETURN plan #>> '{0,Plan,Plan Rows}';
END $$
"""
MOST_ASKED = 3  # conditions, each of its own, so that the index skips in one list what is not in
# another; of one condition with an AND, it goes through all of the rarest list


def _looks(*first: str) -> str:
    """Return a look-up for each number of conditions; to ask one twice takes twice as long.

    What comes first bounds the others: GIN asks the last only where those before it agree.
    """
    return "\n".join(
        LOOK.format(
            count=count,
            asked=" AND ".join(
                f"recordings_tokens(s.place, s.document) @@ {each}"
                for each in (*first, *(f"asked[{at}]" for at in range(1, count + 1)))
            ),
        )
        for count in range(1, MOST_ASKED + 1)
    )


LOOK = """
        WHEN {count} THEN RETURN QUERY
          SELECT s.place FROM recordings_searchtext s WHERE {asked}
            -- the sum keeps the index of places out of this
            AND s.place + 0 BETWEEN greatest(low, least(here, edge))
                                AND least(high - 1, greatest(here, edge))
          ORDER BY s.place * step LIMIT wanted - total;"""
# Returns places in order; a negative one (-1 - place) says that time was up, and where.
FIND = """
CREATE OR REPLACE FUNCTION recordings_find(
  asked tsquery[], low bigint, high bigint, newest boolean,
  wanted int, enough int, few float8, soft float8, hard float8
) RETURNS SETOF bigint LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  began timestamptz := clock_timestamp();
  step int := CASE WHEN newest THEN -1 ELSE 1 END;
  found int; total int := 0; shift int;
  here bigint; edge bigint; beyond bigint; start bigint; first bigint; last bigint;
  need int := CASE WHEN enough = 0 THEN wanted ELSE enough END;
  texts float8;  -- how many there are, as VACUUM and ANALYZE last counted, if they did
  stretch float8;  -- of places, to look at next
  seen float8; remaining float8; little float8; most float8; took float8;
  days tsquery;
BEGIN
  SELECT min(r.place), max(r.place) + 1 INTO first, last FROM recordings_recording r;
  IF first IS NULL THEN RETURN; END IF;
  SELECT CASE WHEN reltuples < 1 THEN 1e4 ELSE reltuples END INTO texts
    FROM pg_class WHERE oid = 'recordings_searchtext'::regclass;
  low := greatest(low, first);
  high := least(high, last);
  here := CASE WHEN newest THEN high - 1 ELSE low END;
  start := here;
  beyond := CASE WHEN newest THEN low ELSE high - 1 END;
  -- of a common word, so many texts hold what is wanted
  stretch := greatest(few / 2, need * 2) * (last - first) / texts;
  WHILE here >= low AND here < high AND total < wanted LOOP
    remaining := abs(here - beyond) + 1;
    IF stretch > remaining / 2 AND remaining > (last - first) / 2 THEN
      edge := beyond;
      CASE cardinality(asked) {all} END CASE;
    ELSE
      shift := CASE WHEN stretch <= 1::bigint << 51 THEN 47
                    WHEN stretch <= 1::bigint << 55 THEN 51 ELSE 55 END;
      edge := here + step * least(stretch, remaining - 1)::bigint;
      edge := (edge >> shift) << shift;
      IF NOT newest THEN edge := edge + (1::bigint << shift) - 1; END IF;
      SELECT string_agg(format('''%%%s.%s''', shift, day), '|') INTO days FROM generate_series(
        greatest(low, least(here, edge)) >> shift, least(high - 1, greatest(here, edge)) >> shift
      ) day;
      CASE cardinality(asked) {days} END CASE;
    END IF;
    GET DIAGNOSTICS found = ROW_COUNT;
    total := total + found;
    here := edge + step;
    -- Look as far as what is lacking should be, by what was found so far; the less that was, the
    -- less is known. Where little is left to be found, look through all the rest. With enough
    -- found, go on by such steps that the clock can end it.
    IF total < need THEN
      seen := abs(here - start);
      remaining := abs(here - beyond) + 1;
      -- with several conditions, or a range of days, more lists are read than that of the matches
      little := CASE WHEN cardinality(asked) = 1 AND remaining > (last - first) / 2
        THEN few / 4 ELSE few / 10 END;
      stretch := CASE
        WHEN (total + 2) * remaining / seen <= least(few, greatest(little, 2 * (need - total)))
          THEN remaining
        ELSE least(
          stretch * 16 * greatest(1, total),
          seen * 1.25 * (need - total) / greatest(0.01, total)
        ) END;
      -- not all there is at once, should it have been otherwise in older times
      most := greatest(1::bigint << 51, 200 * few * (last - first) / texts);
      IF stretch > most AND recordings_estimate(asked) > 25 * few THEN
        stretch := most;
      END IF;
    END IF;
    took := extract(epoch FROM clock_timestamp() - began);
    IF total < wanted AND here >= low AND here < high
       AND (took > hard OR total >= enough AND took > soft) THEN
      RETURN NEXT -1 - here;
      RETURN;
    END IF;
  END LOOP;
END $$
""".replace("{all}", _looks()).replace("{days}", _looks("days"))


FORGET = """
DROP FUNCTION IF EXISTS recordings_find(
  tsquery, bigint, bigint, boolean, int, int, float8, float8
)
"""
NARROW = "ALTER TABLE recordings_searchtext SET (toast_tuple_target = 128)"
POSTGRESQL = (
    "SET LOCAL statement_timeout = 0",  # of a million texts, the index takes minutes
    TOKENS,
    # without a list of pending entries, through which each search would have to go
    "CREATE INDEX searchtext_words ON recordings_searchtext"
    " USING gin (recordings_tokens(place, document)) WITH (fastupdate = off)",
    ESTIMATE,
    FIND,
    "ANALYZE recordings_searchtext",  # or the estimate would know nothing of words
)


def _trigger(name: str, event: str, does: str) -> str:
    return (
        f"CREATE TRIGGER recordings_words_{name} AFTER {event} ON recordings_searchtext"
        f" BEGIN {does} END"
    )


BACK = f"{LAST_PLACE} - "  # before a place: how far back it is, and the other way round
ADD = f"INSERT INTO recordings_words(rowid, document) VALUES ({BACK} new.place, new.document);"  # noqa: S608
REMOVE = f"""
  INSERT INTO recordings_words(recordings_words, rowid, document)
  VALUES ('delete', {BACK} old.place, old.document);
"""  # noqa: S608
SQLITE = (
    """
    CREATE VIRTUAL TABLE recordings_words USING fts5(
      document, content='', detail='none', columnsize=0, tokenize="ascii tokenchars '~@#'"
    )
    """,
    # Small leaves, of which little is read to meet another list, and in the end one tree of them:
    # among a million texts each halves what two lists take.
    "INSERT INTO recordings_words(recordings_words, rank) VALUES ('pgsz', 1000)",
    f"""
    INSERT INTO recordings_words(rowid, document)
    SELECT {BACK} place, document FROM recordings_searchtext ORDER BY place DESC
    """,  # noqa: S608
    "INSERT INTO recordings_words(recordings_words) VALUES ('optimize')",
    _trigger("added", "INSERT", ADD),
    _trigger("removed", "DELETE", REMOVE),
    _trigger("changed", "UPDATE", REMOVE + ADD),
)
DROPPED = {
    "postgresql": (
        "DROP FUNCTION recordings_find",
        "DROP FUNCTION recordings_estimate",
        "DROP INDEX searchtext_words",
        "DROP FUNCTION recordings_tokens(bigint, text)",
    ),
    "sqlite": (
        "DROP TRIGGER recordings_words_added",
        "DROP TRIGGER recordings_words_removed",
        "DROP TRIGGER recordings_words_changed",
        "DROP TABLE recordings_words",
    ),
}


def narrow(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Have PostgreSQL keep the texts out of the rows that a search goes through."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(NARROW, params=None)


def create(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the index over the texts that are there."""
    vendor = schema_editor.connection.vendor
    for statement in POSTGRESQL if vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement, params=None)


def plan(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let PostgreSQL search by the plans of this release."""
    if schema_editor.connection.vendor == "postgresql":
        for statement in (FORGET, ESTIMATE, FIND):
            schema_editor.execute(statement, params=None)


def turn(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make SQLite's index anew, with the newest first."""
    if schema_editor.connection.vendor == "sqlite":
        drop(apps, schema_editor)
        create(apps, schema_editor)


def drop(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the index away; loading a million texts is quicker without."""
    for statement in DROPPED[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def exists() -> bool:
    """Say whether the index of words is there."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT to_regclass('searchtext_words') IS NOT NULL")
        else:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'recordings_words'")
        return bool(cursor.fetchone()[0])
