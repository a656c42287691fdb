r"""SQL functions that compute the search vectors of chunks and questions by language.

`knowledge_to_tsvector(language, value)` is the only analysis of text for search; the generated column of chunks and
the statement of a search call it.

- Compatibility characters are replaced (NFKC); invisible characters and optional vowel marks are removed.
- Punctuation and symbols separate words, so paths, `snake_case` and URLs are split. PostgreSQL's parser keeps paths
  whole, and in the C locale it takes punctuation beyond ASCII for letters.
- The parts of camelCase names are added to the names.
- Text in scripts without spaces between words, and Hangul, becomes overlapping pairs of characters.
- In languages with compounds or many suffixes, words are cut to their first characters, which finds more than stems
  alone (McNamee and Mayfield, "Character n-gram tokenization for European language text retrieval", 2004).
- Words are stemmed by the text search configuration of the language; `simple` serves languages without one.

`knowledge_headline` marks the words of a passage that match.

The character classes are constants, because the result of an immutable function must not depend on Python's version.
"""

from knowledge.languages import SEARCH_CONFIGURATIONS

# Thai, Lao, Tibetan, Burmese, Khmer, Chinese and Japanese do not separate words; Korean words carry particles.
_PAIRED = (
    r"\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3031-\u312f\u3130-\u318f\u31a0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = (
    r"\u00ad\u034f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670"
    r"\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u180e\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    r"\ufff9-\ufffb\U000e0100-\U000e01ef"
)
# Characters of ASCII that PostgreSQL's parser takes for parts of paths, numbers, addresses and tags.
_PUNCTUATION = r"/\\._@:+~&=?%#<>*^|-"
_SEPARATORS = (
    r"\u00a0-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    r"\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02df\u037e\u0387\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4"
    r"\u0600-\u060f\u061b\u061d-\u061f\u066a-\u066d\u06d4\u06dd\u06de\u06e9\u0700-\u070d\u0964\u0965\u0970\u0e3f\u0e4f"
    r"\u0e5a\u0e5b\u0f01-\u0f14\u104a-\u104f\u10fb\u1360-\u1368\u166e\u1680\u17d4-\u17da\u1800-\u180a\u2000-\u200a"
    r"\u2010-\u2029\u202f-\u205f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f"
    r"\u309b\u309c\u30a0\u30fb\ufd3e\ufd3f\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    r"\ufffc\ufffd\U0001f000-\U0001faff"
)
_CONFIGURED = "".join(
    f"\n    WHEN '{code}' THEN to_tsvector('pg_catalog.{name}', words)"
    for code, name in sorted(SEARCH_CONFIGURATIONS.items(), key=lambda item: (item[0] != "en", item[0]))
)

# Characters of a word that count, by language. Those of five have no text search configuration.
_PREFIXES = {
    6: "ca da de es fi fr hu it nl no pt ro sv tr",
    5: "be bg bs cs eo et hr is la lv mk pl sk sl sq uk",
}
_CUT = "\n".join(
    f"  IF language IN ({', '.join(repr(code) for code in codes.split())}) THEN\n"
    rf"    words := regexp_replace(words, '([^\s0-9]{{{length}}})[^\s0-9]+', '\1', 'g');"
    "\n  END IF;"
    for length, codes in _PREFIXES.items()
)

# A zero-width non-joiner separates the parts of Persian words; elsewhere it is invisible.
SEARCH_VECTORS = rf"""
CREATE FUNCTION knowledge_pairs(value text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  WITH letters AS (
    SELECT letter, place, lead(letter) OVER (ORDER BY place) AS following, lag(letter) OVER (ORDER BY place) AS previous
    FROM string_to_table(regexp_replace('|' || value || '|', '[^{_PAIRED}]+', '|', 'g'), NULL)
      WITH ORDINALITY AS letters (letter, place)
  )
  -- The last letter of a run begins no pair, unless it is the only one.
  SELECT coalesce(string_agg('''' || letter || CASE WHEN following = '|' THEN '' ELSE following END || ''':' ||
    least(place, 16383), ' '), '')::tsvector
  FROM letters WHERE letter <> '|' AND (following <> '|' OR previous = '|')
$$;

CREATE FUNCTION knowledge_to_tsvector(language text, value text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  words text;
  paired tsvector := '';
BEGIN
  words := regexp_replace(value, '[{_PUNCTUATION}]+', ' ', 'g');
  IF words ~ '[a-z0-9][A-Z]' THEN
    words := words || ' ' || coalesce((
      SELECT string_agg(regexp_replace(name[1], '([a-z0-9])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])', '\1\2 ', 'g'), ' ')
      FROM regexp_matches(words, '\m([A-Za-z0-9]*[a-z0-9][A-Z][A-Za-z0-9]*)\M', 'g') AS name), '');
  END IF;
  IF octet_length(words) > length(words) THEN
    IF words IS NOT NFKC NORMALIZED THEN
      words := normalize(words, NFKC);
    END IF;
    IF words ~ '[{_MARKS}\u200c]' THEN
      words := regexp_replace(words, '[{_MARKS}]+|(?<![\u0600-\u06ff])\u200c', '', 'g');
    END IF;
    IF words ~ '[{_SEPARATORS}\u200c]' THEN
      words := regexp_replace(words, '[{_SEPARATORS}\u200c]+', ' ', 'g');
    END IF;
  END IF;
  words := lower(words COLLATE pg_c_utf8);
  IF octet_length(words) > length(words) AND words ~ '[{_PAIRED}]' THEN
    paired := knowledge_pairs(words);
    words := regexp_replace(words, '[{_PAIRED}]+', ' ', 'g');
  END IF;
{_CUT}
  RETURN paired || CASE language{_CONFIGURED}
    ELSE to_tsvector('pg_catalog.simple', words) END;
END $$;

CREATE FUNCTION knowledge_search_vector(language text, context text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT setweight(knowledge_to_tsvector(language, context), 'A')
    || setweight(knowledge_to_tsvector(language, content), 'B')
$$;

CREATE FUNCTION knowledge_headline(language text, content text, lexemes text[], before text, after text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  words text[];
  hits text;
  pairs text;
  place int;
BEGIN
  -- Each word has one position in the vector of all words, so the positions of the lexemes lead to the words.
  words := ARRAY(SELECT DISTINCT lower(piece[1] COLLATE pg_c_utf8)
    FROM regexp_matches(content,
      '[^\s\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f{_SEPARATORS}]+', 'g') AS piece
    WHERE piece[1] IS NFKC NORMALIZED AND piece[1] !~ '[{_PAIRED}{_MARKS}]' AND length(piece[1]) < 100);
  SELECT string_agg(DISTINCT quote_literal(words[position]), ' | ') INTO hits
  FROM unnest(knowledge_to_tsvector(language, array_to_string(words, ' '))) AS t, unnest(t.positions) AS position
  WHERE t.lexeme = ANY(lexemes) AND words[position] IS NOT NULL;
  IF hits IS NULL THEN
    SELECT string_agg(lexeme, '|') INTO pairs FROM unnest(lexemes) AS lexeme WHERE lexeme ~ '^[{_PAIRED}]+$';
    place := regexp_instr(content, pairs);
    IF place > 0 THEN
      RETURN regexp_replace(substr(content, greatest(1, place - 40), 160), '((?:' || pairs || ')+)',
        before || '\1' || after, 'g');
    END IF;
  END IF;
  RETURN ts_headline('pg_catalog.simple', content, coalesce(hits, '')::tsquery, 'StartSel=' || before || ', StopSel='
    || after || ', MaxWords=40, MinWords=15, MaxFragments=2, FragmentDelimiter= … ');
END $$;
"""
SEARCH_VECTORS_DROP = """
DROP FUNCTION knowledge_headline(text, text, text[], text, text), knowledge_search_vector(text, text, text),
  knowledge_to_tsvector(text, text), knowledge_pairs(text);
"""
