"""Clips of every container and with every oddity: one clock, true frames, exact sound."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from make_clips import CODECS, cornered, number, painted, tone, with_cover, write_clip, write_pictures

from hero.errors import InputError, MediaError, UsageError
from hero.media.clip import Clip


def heard(clip: Clip, **options: float) -> tuple[float, np.ndarray]:
    """Start of the sound and all its samples (N,)."""
    blocks = list(clip.sound(**options))
    return blocks[0].start_s, np.concatenate([b.samples for b in blocks])


@pytest.mark.parametrize("suffix", CODECS)
def test_every_container_is_read(tmp_path: Path, suffix: str) -> None:
    clip = Clip.open(write_clip(tmp_path / f"a{suffix}", rate_hz=44100 if suffix != ".webm" else 48000, channels=2))
    start_s, samples = heard(clip)
    assert clip.audio is not None and clip.audio.channels == 2
    assert abs(clip.duration_s - 1.0) < 0.06
    assert abs(len(samples) / 16000 - 1.0) < 0.06 and samples.dtype == np.float32 and start_s < 0.02
    middle = samples[4000:12000]
    peak_hz = np.argmax(np.abs(np.fft.rfft(middle))) * 16000 / len(middle)
    assert abs(peak_hz - 440) <= 2 and 0.4 < np.abs(middle).max() < 0.65
    frames = list(clip.frames())
    if CODECS[suffix][0] is None:
        assert clip.video is None and frames == []
    else:
        assert clip.video is not None and (clip.video.width, clip.video.height) == (64, 48)
        assert [number(f.rgb) for f in frames] == list(range(25))
        assert all(b.time_s > a.time_s for a, b in itertools.pairwise(frames))
        assert frames[0].rgb.shape == (48, 64, 3) and frames[0].rgb.dtype == np.uint8


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2])
def test_odd_sample_rates_keep_length_and_wave(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write_clip(tmp_path / "a.wav", seconds=1.237, rate_hz=rate_hz, channels=channels)
    _, samples = heard(Clip.open(path), block_s=0.3)
    truth = tone(1.237, 16000)[0]
    assert abs(len(samples) - round(round(1.237 * rate_hz) * 16000 / rate_hz)) <= 1
    n = min(len(samples), len(truth))
    assert np.abs(samples[500 : n - 500] - truth[500 : n - 500]).max() < 2e-3


def test_blocks_are_consecutive_and_equal_to_one_piece(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "a.wav", seconds=2.5, rate_hz=44100))
    blocks = list(clip.sound(block_s=0.7))
    assert [len(b.samples) for b in blocks] == [11200, 11200, 11200, 6400]
    assert [round(b.start_s, 6) for b in blocks] == [0.0, 0.7, 1.4, 2.1]
    whole = np.concatenate([b.samples for b in blocks])
    assert np.array_equal(whole, heard(clip, block_s=60.0)[1])


def test_two_different_channels_are_averaged(tmp_path: Path) -> None:
    import soundfile

    left, right = tone(0.5, 16000, hz=300)[0], tone(0.5, 16000, hz=700)[0]
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    assert np.abs(heard(Clip.open(tmp_path / "a.wav"))[1] - (left + right) / 2).max() < 1e-6


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_sample_formats(tmp_path: Path, subtype: str) -> None:
    import soundfile

    wave = tone(0.5, 16000)[0]
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype=subtype)
    assert np.abs(heard(Clip.open(tmp_path / "a.wav"))[1] - wave).max() < 0.02


def test_samples_beyond_full_scale_and_nan_are_tamed(tmp_path: Path) -> None:
    import soundfile

    wave = 3 * tone(0.5, 16000)[0]
    wave[100] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    samples = heard(Clip.open(tmp_path / "a.wav"))[1]
    assert np.isfinite(samples).all() and samples.max() == 1.0 and samples.min() == -1.0


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_turned_pictures_stand_upright(tmp_path: Path, suffix: str) -> None:
    # A display matrix of +90 asks for a quarter turn counter-clockwise: the bright upper left corner goes lower left.
    path = write_clip(tmp_path / f"a{suffix}", audio=False, rotation_deg=90, paint=cornered)
    clip = Clip.open(path)
    assert clip.video is not None
    assert (clip.video.width, clip.video.height, clip.video.rotation_deg) == (48, 64, 270)
    rgb = next(clip.frames()).rgb
    assert rgb.shape == (64, 48, 3)
    assert rgb[50:60, 5:15].mean() > 180 and rgb[5:15, 5:15].mean() < 60 and rgb[50:60, 30:40].mean() < 60


def test_wide_pixels_become_square(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "a.mp4", audio=False, aspect=Fraction(2, 1)))
    assert clip.video is not None and (clip.video.width, clip.video.height) == (128, 48)
    assert next(clip.frames()).rgb.shape == (48, 128, 3)
    assert next(clip.frames(max_side=64)).rgb.shape == (24, 64, 3)


def test_scaling_keeps_shape_and_never_enlarges(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "a.mp4", audio=False, size=(320, 180), paint=cornered))
    small = next(clip.frames(max_side=80)).rgb
    assert small.shape == (45, 80, 3) and small[2:18, 2:36].mean() > 200 and small[28:, 46:].mean() < 45
    assert next(clip.frames(max_side=1000)).rgb.shape == (180, 320, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate_shows_what_is_on_the_screen(tmp_path: Path, suffix: str) -> None:
    times_ms = [0, 40, 80, 500, 520, 900]
    clip = Clip.open(write_clip(tmp_path / f"a{suffix}", times_ms=times_ms))
    assert [round(f.time_s * 1000) for f in clip.frames()] == times_ms
    # At 0, 0.1, 0.2 ... the screen shows frames 0, 2, 2, 2, 2, 3, 4, 4, 4, 5; each comes once.
    assert [number(f.rgb) for f in clip.frames(fps=10)] == [0, 2, 3, 4, 5]
    assert [number(f.rgb) for f in clip.frames_at([0.0, 0.3, 0.49, 0.5, 0.6, 0.95])] == [0, 2, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("fps", "expected"), [(25, range(25)), (5, range(0, 25, 5)), (12.5, range(0, 25, 2)), (100, range(25))]
)
def test_sampling_rates(tmp_path: Path, fps: float, expected: range) -> None:
    for suffix in (".mp4", ".mkv"):
        clip = Clip.open(write_clip(tmp_path / f"a{suffix}", audio=False))
        assert [number(f.rgb) for f in clip.frames(fps=fps)] == list(expected)


def test_frames_at_equals_the_sequential_frames(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".mpg", ".avi", ".webm"):
        clip = Clip.open(write_clip(tmp_path / f"a{suffix}", seconds=12, audio=False, gop=30))
        every = [(f.time_s, number(f.rgb)) for f in clip.frames()]
        wanted = [0.0, 0.013, 1.0, 1.01, 5.5, 5.5, 9.77, 11.9, 500.0]
        truth = [next((n for t, n in reversed(every) if t <= w + 0.002), every[0][1]) for w in wanted]
        assert [number(f.rgb) for f in clip.frames_at(reversed(wanted))] == truth, suffix


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_one_clock_for_streams_that_start_late(tmp_path: Path, suffix: str) -> None:
    late_sound = Clip.open(write_clip(tmp_path / f"a{suffix}", audio_start_s=0.5))
    start_s, samples = heard(late_sound)
    assert abs(start_s - 0.5) < 0.03 and abs(len(samples) / 16000 - 1) < 0.03
    assert abs(late_sound.duration_s - 1.5) < 0.03 and next(late_sound.frames()).time_s == 0.0
    late_picture = Clip.open(write_clip(tmp_path / f"b{suffix}", video_start_s=0.52))
    assert abs(next(late_picture.frames()).time_s - 0.52) < 0.05 and heard(late_picture)[0] == 0.0
    assert [number(f.rgb) for f in late_picture.frames_at([0.0, 0.2])] == [0, 0]


def test_clock_starts_with_the_first_stream(tmp_path: Path) -> None:
    clip = Clip.open(write_clip(tmp_path / "a.mkv", video_start_s=5.0, audio_start_s=5.2))
    assert abs(clip.duration_s - 1.2) < 0.02 and next(clip.frames()).time_s == 0.0
    assert abs(heard(clip)[0] - 0.2) < 0.02


def test_missing_streams_are_none(tmp_path: Path) -> None:
    silent = Clip.open(write_clip(tmp_path / "a.mp4", audio=False))
    assert silent.audio is None and list(silent.sound()) == [] and silent.video is not None
    blind = Clip.open(write_clip(tmp_path / "b.mp4", video=False))
    assert blind.video is None and list(blind.frames()) == [] and list(blind.frames_at([0.1])) == []


def test_cover_pictures_are_no_video(tmp_path: Path) -> None:
    clip = Clip.open(with_cover(tmp_path / "a.mp3", painted(3, 32, 32)))
    assert clip.video is None and clip.audio is not None and abs(clip.duration_s - 1) < 0.06


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_one_pixel_and_a_tenth_of_a_second(tmp_path: Path, suffix: str) -> None:
    clip = Clip.open(write_clip(tmp_path / f"a{suffix}", size=(1, 1), seconds=0.1))
    assert abs(clip.duration_s - 0.1) < 0.03
    frames = list(clip.frames(fps=25, max_side=640))
    assert [f.rgb.shape for f in frames] == [(1, 1, 3)] * 2
    assert abs(len(heard(clip)[1]) - 1600) < 300


def test_hash_and_record(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    clip = Clip.open(path)
    assert clip.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert clip.as_json()["video"] == {"width": 64, "height": 48, "fps": 25.0} and clip.as_json()["name"] == "a.mp4"


def test_folder_of_frames(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    write_clip(folder / "sound.wav", seconds=1.0)
    clip = Clip.open(folder)
    assert clip.video is not None and clip.video.fps == 25 and clip.duration_s == 1.0
    assert any("25 a second assumed" in note for note in clip.notes)
    assert [number(f.rgb) for f in clip.frames()] == list(range(12))
    assert [number(f.rgb) for f in clip.frames_at([0.0, 0.1, 0.3, 9.0])] == [0, 2, 7, 11]
    assert abs(len(heard(clip)[1]) - 16000) <= 1
    slow = Clip.open(folder, fps=5)
    assert [f.time_s for f in slow.frames(fps=5)] == [i / 5 for i in range(12)] and slow.duration_s == 12 / 5
    (folder / "frames.yaml").write_text("fps: 10\n")
    assert Clip.open(folder).video.fps == 10 and Clip.open(folder).sha256 != clip.sha256
    (folder / "frames.yaml").write_text("fpss: 10\n")
    with pytest.raises(MediaError, match=r"fpss.*allowed: fps, times_s, sound"):
        Clip.open(folder)


def test_folder_skips_a_damaged_picture(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 4, suffix=".jpg")
    (folder / "frame2.jpg").write_bytes(b"no picture")
    clip = Clip.open(folder, fps=25)
    assert [number(f.rgb) for f in clip.frames()] == [0, 2, 3]
    assert any("1 pictures" in note for note in clip.notes)


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("#EXTM3U\nhttp://example.org/a.ts\n" * 50)
    empty.write_bytes(b"")
    (tmp_path / "folder").mkdir()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(write_clip(tmp_path / "whole.mp4").read_bytes()[:3000])
    subs = tmp_path / "subs.mp4"
    subs.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    for path, word in (
        (tmp_path / "nothing.mp4", "no such file"), (text, "no media data"), (empty, "0 bytes"),
        (tmp_path / "folder", "no pictures"), (cut, "cannot be read"), (subs, "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            Clip.open(path)
        assert word in str(caught.value) and path.name in str(caught.value) and "\n" not in str(caught.value)
        assert "allowed" in str(caught.value) or "give" in str(caught.value)
    with pytest.raises(UsageError, match="fps"):
        Clip.open(tmp_path / "whole.mp4").frames(fps=0)
    with pytest.raises(UsageError, match="Hz"):
        Clip.open(tmp_path / "whole.mp4").sound(rate_hz=5)


def test_a_cut_off_file_gives_what_it_holds(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", seconds=4, size=(160, 120))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clip = Clip.open(cut)
    frames = [number(f.rgb) for f in clip.frames()]
    assert 1.0 < clip.duration_s < 3.0 and 20 < len(frames) < 80
    wav = write_clip(tmp_path / "whole.wav", seconds=4)
    (tmp_path / "cut.wav").write_bytes(wav.read_bytes()[: wav.stat().st_size // 2])
    sound = Clip.open(tmp_path / "cut.wav")
    assert abs(sound.duration_s - 2.0) < 0.01 and abs(len(heard(sound)[1]) - 32000) < 160


def test_a_damaged_middle_is_skipped_and_noted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def noise(index: int, width: int, height: int) -> np.ndarray:
        return random.integers(0, 255, (height, width, 3), np.uint8)

    path = write_clip(tmp_path / "a.mp4", seconds=4, size=(64, 48), audio=False, paint=noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    clip = Clip.open(path)
    frames = list(clip.frames())
    assert 60 < len(frames) < 100 and frames[-1].time_s > 3.9
    assert any("damaged stretches of the picture were skipped" in note for note in clip.notes)


def test_headers_of_very_large_files_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=2)
    whole = Clip.open(path)
    monkeypatch.setattr("hero.media.probe.SCAN_LIMIT_BYTES", 0)
    quick = Clip.open(path)
    assert abs(quick.duration_s - whole.duration_s) < 0.001 and quick.video == whole.video


def test_a_hole_in_the_sound_is_filled_and_noted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", seconds=3, video=False, codecs=(None, "pcm_s16le"))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None and not 1.0 <= float(packet.pts * packet.time_base) < 1.5:
                packet.stream = stream
                out.mux(packet)
    clip = Clip.open(tmp_path / "b.mkv")
    start_s, samples = heard(clip)
    assert start_s == 0.0 and abs(len(samples) - 48000) < 50
    assert np.abs(samples[17000:23000]).max() < 0.01 and np.abs(samples[25000:47000]).max() > 0.49
    assert any("hole from 1.0" in note for note in clip.notes)


def test_files_are_closed_also_when_readers_stop_early(tmp_path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("open files cannot be counted on this system")
    clip = Clip.open(write_clip(tmp_path / "a.mp4", subtitles=[(0.1, 0.5, "hello")]))
    before = len(list(folder.iterdir()))
    for _ in range(5):
        readers = [clip.frames(fps=5), clip.sound(block_s=0.1), clip.frames_at([0.1, 0.5])]
        for reader in readers:
            next(reader)
            reader.close()
        list(clip.frames())
    assert len(list(folder.iterdir())) == before


def test_importing_media_loads_no_heavy_library() -> None:
    code = "import sys, hero.media.clip; print(sorted({'av', 'soxr', 'cv2', 'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_decoders_do_not_write_to_the_terminal(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=2)
    data = bytearray(path.read_bytes())
    data[2000:2600] = os.urandom(600)
    path.write_bytes(data)
    code = (
        "import sys; from hero.media.clip import Clip\n"
        "clip = Clip.open(sys.argv[1])\nprint(len(list(clip.frames())) >= 0, len(list(clip.sound())) >= 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout.strip() == "True True"


def test_real_clips(hero_data: Path) -> None:
    late = Clip.open(hero_data / "faces" / "face_noface.mov")
    assert abs(heard(late)[0] - 2.43) < 0.01 and next(late.frames(max_side=64)).time_s == 0.0
    grid = Clip.open(hero_data / "grid" / "bbaf2n.mpg")
    assert grid.video is not None and grid.video.fps == 25.0 and len(list(grid.frames(fps=25, max_side=64))) == 75
    speech = Clip.open(hero_data / "speech" / "jfk.flac")
    assert speech.video is None and len(heard(speech)[1]) == 11 * 16000
