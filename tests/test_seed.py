"""The seeded library: believable, the same every time, searchable, and refused to accounts."""

from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from calls import audio
from calls.models import Call
from dashboard import folder
from dashboard.bench import library, questions
from dashboard.seeding import load, sounds
from recordings import storage
from recordings.models import Recording, Review, SearchText, Spoken, Tagging, Transcript
from recordings.search.index import texts_of
from tests.findable import found, page

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def seed(count, **options):
    call_command("seed", recordings=count, silent=True, **options)


def test_a_seeded_library_is_complete_and_searchable(lee):
    seed(400, days=30)
    assert Recording.objects.count() == SearchText.objects.count() == 400
    states = Counter(Recording.objects.values_list("state", flat=True))
    assert states["stored"] > 350
    assert not Recording.objects.filter(due_at__isnull=False).exists()  # nobody fetches them
    for recording in Recording.objects.select_related("call")[:40]:
        text, lines = texts_of(recording)
        assert recording.text.document.rstrip() == text.rstrip()
        assert recording.spoken.lines == lines
        assert recording.text.place == recording.place
        assert recording.has_transcript == recording.transcripts.exists()
    for tagging in Tagging.objects.select_related("recording"):
        assert tagging.place == tagging.recording.place
    assert Review.objects.filter(flagged_at__isnull=False).count() == (
        Recording.objects.filter(flagged=True).count()
    )
    answer = page(lee, q="account")
    assert len(answer.recordings) == 50
    assert answer.extracts[answer.recordings[0].pk].at_s is not None
    assert found(lee, party="agent*")


def test_the_same_seed_is_the_same_library_and_more_of_it_is_another(lee):
    seed(50)
    first = set(Recording.objects.values_list("pk", flat=True))
    seed(50)
    assert Recording.objects.count() == 100
    Tagging.objects.all().delete()
    for model in (Review, Transcript, SearchText, Spoken, Recording, Call):
        model.objects.all().delete()
    seed(50)
    assert set(Recording.objects.values_list("pk", flat=True)) == first


def test_calls_are_in_office_hours_and_customers_call_again():
    seed(600)
    hours = Counter(Recording.objects.values_list("started_at__hour", flat=True))
    assert sum(hours[hour] for hour in range(8, 18)) > 450
    callers = Counter(Recording.objects.values_list("from_number", flat=True))
    assert callers.most_common(40)[-1][1] > 1


def test_a_stored_recording_has_a_file_of_its_length_and_a_waveform(monkeypatch):
    monkeypatch.setattr(sounds, "COUNT", 2)
    monkeypatch.setattr(sounds, "lengths_ms", lambda count: [1_500, 3_000])
    call_command("seed", recordings=20)
    for recording in Recording.objects.filter(state="stored"):
        held = audio.probe(storage.local_path(recording.path))
        assert (held.duration_ms, held.channels) == (recording.duration_ms, 2)
        assert storage.exists(recording.peaks)


def test_a_real_account_is_not_seeded_without_being_asked(tmp_path):
    folder.dedicate(tmp_path, folder.ACCOUNT)
    with pytest.raises(CommandError, match="holds the calls of a real account"):
        seed(10)
    assert not Recording.objects.exists()
    seed(10, yes=True)
    assert Recording.objects.count() == 10


@pytest.mark.parametrize("options", [{"recordings": 0}, {"days": 0}, {"days": 99_999}])
def test_odd_sizes_are_refused_with_their_limit(options):
    with pytest.raises(CommandError, match="it can be 1 to"):
        call_command("seed", silent=True, **options)


def test_reindexing_mends_what_is_lacking(lee, capsys):
    seed(30)
    SearchText.objects.all().delete()
    assert found(lee, q="account") == []
    call_command("reindex")
    assert "30 recordings indexed" in capsys.readouterr().out
    assert found(lee, q="account")


@pytest.mark.django_db(transaction=True)
def test_a_large_library_is_loaded_without_indexes_that_are_all_there_afterwards(lee, monkeypatch):
    monkeypatch.setattr(load, "WITHOUT_INDEXES", 50)
    monkeypatch.setattr(load, "BATCH", 40)
    made = []
    monkeypatch.setattr(load, "_made", lambda jobs: map(load._make, jobs))
    monkeypatch.setattr(load, "_drop", lambda drop=load._drop: (made.append(1), drop()))
    seed(120)
    assert made == [1]
    assert found(lee, q="account")
    with_indexes = load.lacking()
    assert with_indexes == []


def test_every_question_of_the_bench_can_be_asked(lee):
    seed(300, days=60)
    asker = questions.Asker(3)
    times = {
        name: [questions._time(lee, ask(), asked)]
        for name, ask, asked in questions.questions(asker)
    }
    assert len(times) > 50
    slow = {"size": 300, "classes": {name: [(25.0, 9.0, 5, 1.0)] for name in times}}
    quick = {"size": 100, "classes": {name: [(1.0, 1.0, 5, 1.0)] for name in times}}
    told = library.lines({"outcomes": [{"database": "x", "sizes": [quick, slow]}]})
    assert "MISSED: words: phrase takes 25.0 ms, the target is 20" in told
    assert "MISSED: words: phrase grows 4.50 times, the target is 1.5" in told
    assert not any(
        "MISSED" in line
        for line in library.lines({"outcomes": [{"database": "x", "sizes": [quick, quick]}]})
    )


def test_a_page_is_compared_with_one_of_as_many_rows():
    few = [(2.5, 2.5, 10, 1.0), (2.0, 2.0, 5, 0.5)]  # a row is 0.1 ms
    full = [(6.5, 6.5, 50, 5.0), (2.0, 2.0, 5, 0.5)]  # as long a search, and the rows
    sizes = [{"size": size, "classes": {"words: x": each}} for size, each in ((1, few), (2, full))]
    (*_, grown, alike), *_ = library._rows(*sizes)
    assert (grown, alike) == (2.6, 1.0)
    slower = [(10.5, 10.5, 50, 5.0), (6.0, 6.0, 5, 0.5)]
    (*_, alike), *_ = library._rows(sizes[0], {"size": 2, "classes": {"words: x": slower}})
    assert alike == 2.6
