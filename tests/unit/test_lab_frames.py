# SPDX-License-Identifier: GPL-2.0-only
"""The guest's answer survives being cut anywhere."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.lab.frames import Frame, FrameReader, Kind

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=50)), max_size=20)


def encode(frame: Frame) -> bytes:
    return frame.kind.value + struct.pack("<I", len(frame.payload)) + frame.payload


@given(FRAMES, st.integers(1, 17))
def test_frames_come_out_as_they_went_in_however_cut(frames: list[Frame], piece: int) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    reader = FrameReader()
    received = [
        frame
        for start in range(0, len(stream), piece)
        for frame in reader.feed(stream[start : start + piece])
    ]
    assert received == frames


def test_a_kind_nobody_sends_is_an_error() -> None:
    with pytest.raises(ValueError, match="Z"):
        list(FrameReader().feed(b"Z\0\0\0\0"))
