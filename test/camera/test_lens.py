"""camera_info against lenses worked out by hand: empty matrices, binning, regions, and what contradicts itself."""

import re
from types import SimpleNamespace

import pytest
from user_errors import refusal

from astra_ros.camera.errors import LensError, NotCalibrated, OtherSize
from astra_ros.camera.lens import contents, image_size_of, is_rectified, read_lens, size_error

K = [300.0, 0, 310, 0, 301, 230, 0, 0, 1]
P = [280.0, 0, 320, 0, 0, 281, 240, 0, 0, 0, 1, 0]
EMPTY9, EMPTY12 = [0.0] * 9, [0.0] * 12
IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]


def info(width=640, height=480, k=K, p=P, roi=(0, 0, 0, 0), binning=(0, 0), model="plumb_bob", d=(), r=IDENTITY):
    """roi: (left, top, width, height)."""
    left, top, wide, tall = roi
    return SimpleNamespace(
        width=width, height=height, k=k, p=p, r=r, d=list(d), distortion_model=model, binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(x_offset=left, y_offset=top, width=wide, height=tall, do_rectify=False),
    )  # fmt: skip


def numbers(lens):
    return lens.fx, lens.fy, lens.cx, lens.cy


def test_k_is_that_of_raw_images_and_p_of_rectified_ones():
    assert numbers(read_lens(info(), (480, 640), rectified=False)) == (300, 301, 310, 230)
    assert numbers(read_lens(info(), (480, 640), rectified=True)) == (280, 281, 320, 240)
    assert read_lens(info(), (480, 640), rectified=True).remarks == ()


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [("/cam/image_raw", False), ("/cam/image_rect", True), ("/cam/image_rect_color/compressed", True),
     ("/cam/image_rect_raw", True), ("/rectify/image", False)],
)  # fmt: skip
def test_rectified_topics_are_known_by_image_procs_names(topic, rectified):
    assert is_rectified(topic) == rectified


@pytest.mark.parametrize(("k", "p"), [(EMPTY9, EMPTY12), (IDENTITY, EMPTY12), ([], []), ([float("nan")] * 9, EMPTY12)])
@pytest.mark.parametrize("size", [(640, 480), (0, 0)])
def test_no_focal_lengths_are_not_calibrated_whatever_the_size(k, p, size):
    for rectified in (False, True):
        with refusal(NotCalibrated, cure=["cameracalibrator"]) as error:
            read_lens(info(*size, k=k, p=p), (480, 640), rectified)
        assert "remap" not in str(error.value)


@pytest.mark.parametrize(
    ("rectified", "k", "p", "expected", "word"),
    [(True, K, EMPTY12, (300, 301, 310, 230), "P is empty"), (False, EMPTY9, P, (280, 281, 320, 240), "K is empty")],
)
def test_the_matrix_that_is_there_is_taken_and_it_is_said(rectified, k, p, expected, word):
    lens = read_lens(info(k=k, p=p), (480, 640), rectified)
    assert numbers(lens) == expected
    assert len(lens.remarks) == 1 and lens.remarks[0].startswith(word)


@pytest.mark.parametrize(
    ("binning", "roi", "size", "expected"),
    [
        ((0, 0), (0, 0, 0, 0), (480, 640), (300, 301, 310, 230)),
        ((1, 1), (0, 0, 640, 480), (480, 640), (300, 301, 310, 230)),
        ((2, 2), (0, 0, 0, 0), (240, 320), (150, 150.5, 155, 115)),
        ((2, 4), (0, 0, 0, 0), (120, 320), (150, 75.25, 155, 57.5)),
        ((0, 2), (0, 0, 0, 0), (240, 640), (300, 150.5, 310, 115)),
        ((0, 0), (100, 40, 320, 240), (240, 320), (300, 301, 210, 190)),
        ((2, 2), (100, 40, 320, 240), (120, 160), (150, 150.5, 105, 95)),
        ((0, 0), (0, 40, 0, 200), (200, 640), (300, 301, 310, 190)),
        ((0, 0), (40, 0, 0, 0), (480, 600), (300, 301, 270, 230)),
    ],
)
def test_sizes_and_matrices_are_divided_by_binning_and_moved_by_the_region(binning, roi, size, expected):
    message = info(binning=binning, roi=roi)
    assert image_size_of(message) == size and size_error(message, size) == ""
    lens = read_lens(message, size, rectified=False)
    assert numbers(lens) == pytest.approx(expected) and (lens.height, lens.width) == size
    assert lens.remarks == ()
    rectified = read_lens(message, size, rectified=True)  # P in the same way
    assert rectified.cx == pytest.approx((320 - roi[0]) / max(1, binning[0]))
    assert rectified.fy == pytest.approx(281 / max(1, binning[1]))


def test_images_of_the_whole_sensor_contradict_binning_and_it_is_said():
    lens = read_lens(info(binning=(2, 2)), (480, 640), rectified=False)
    assert numbers(lens) == (300, 301, 310, 230)
    assert "binning 2 x 2" in lens.remarks[0] and "640 x 480" in lens.remarks[0]


def test_images_of_another_size_are_another_cameras():
    for message in (info(), info(binning=(2, 2)), info(roi=(0, 0, 100, 100))):
        assert "images have 200 x 100" in size_error(message, (100, 200))
        with pytest.raises(OtherSize):
            read_lens(message, (100, 200), rectified=False)
    assert "so 320 x 240" in size_error(info(binning=(2, 2)), (100, 200))


def test_a_camera_info_without_a_size_is_not_of_another_size():
    assert size_error(info(0, 0), (480, 640)) == ""
    assert numbers(read_lens(info(0, 0), (480, 640), rectified=False)) == (300, 301, 310, 230)


def test_a_region_outside_the_sensor_is_refused():
    with refusal(LensError, "", "320 x 240", "(100, 40)", "320 x 240", cure=["camera_info"]):
        read_lens(info(320, 240, roi=(100, 40, 320, 240)), (240, 320), rectified=False)


@pytest.mark.parametrize("rectified", [False, True])
def test_a_region_whose_size_is_given_as_the_sensors_leaves_a_matrix_of_the_images(rectified):
    message = info(320, 240, **centred(320, 240), roi=(100, 40, 320, 240))
    lens = read_lens(message, (240, 320), rectified)
    assert numbers(lens) == pytest.approx((300, 300, 166.4, 112.8))
    (remark,) = lens.remarks
    assert "without roi" in remark and "(100, 40)" in remark


def test_a_region_with_an_offset_is_on_a_sensor_whose_size_is_not_said():
    message = info(0, 0, **centred(640, 480), roi=(100, 40, 320, 240))
    assert numbers(read_lens(message, (240, 320), rectified=False)) == pytest.approx((300, 300, 232.8, 185.6))


@pytest.mark.parametrize(
    ("model", "d", "words"),
    [
        ("plumb_bob", [0.1, 0, 0, 0, 0], ("bends straight lines", "plumb_bob")),
        ("rational_polynomial", [0.1] * 8, ("bends straight lines", "rational_polynomial")),
        ("", [0.1], ("bends straight lines", "empty")),
        ("equidistant", [0.1] * 4, ("fisheye", "equidistant")),
        ("equidistant", [0.0] * 4, ("fisheye", "not removed")),
        ("fisheye", [], ("fisheye", "not removed")),
    ],
)
def test_distortion_that_is_not_removed_is_named_on_raw_images_only(model, d, words):
    (remark,) = read_lens(info(model=model, d=d), (480, 640), rectified=False).remarks
    assert all(word in remark for word in words)
    assert read_lens(info(model=model, d=d), (480, 640), rectified=True).remarks == ()


def test_a_straight_lens_needs_no_remark():
    assert read_lens(info(d=[0.0] * 5), (480, 640), rectified=False).remarks == ()


def test_lenses_are_compared_by_their_focal_lengths():
    first, *others = (
        read_lens(info(k=[f, 0, 310, 0, f, 230, 0, 0, 1]), (480, 640), rectified=False) for f in (300.0, 301.0, 330.0)
    )
    assert [first.resembles(other) for other in others] == [True, False]


def test_messages_are_told_apart_by_what_they_say():
    same, other = info(d=[0.1]), info(d=[0.1], roi=(1, 0, 0, 0))
    assert contents(same) == contents(info(d=[0.1])) != contents(other)
    assert len({contents(same), contents(info(d=[0.1])), contents(other)}) == 2


def centred(width, height, focal=300.0):
    """K and P of a calibration of images of this size, the lens a little off their middle."""
    x, y = 0.52 * width, 0.47 * height
    return {"k": [focal, 0, x, 0, focal, y, 0, 0, 1], "p": [focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1, 0]}


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize(
    ("calibrated", "binning", "roi", "size", "expected"),
    [
        # of the binned images already: 640 / 4, 640 / 2, 640 / 4 x 480 / 2
        ((160, 120), (4, 4), (0, 0, 0, 0), (120, 160), (300, 300, 83.2, 56.4)),
        ((320, 240), (2, 2), (0, 0, 0, 0), (240, 320), (300, 300, 166.4, 112.8)),
        ((160, 240), (4, 2), (0, 0, 0, 0), (240, 160), (300, 300, 83.2, 112.8)),
        # of the images of a region that lies in a corner, and of a binned sensor of which they are a region
        ((160, 120), (0, 0), (480, 360, 160, 120), (120, 160), (300, 300, 83.2, 56.4)),
        ((160, 120), (4, 4), (320, 120, 160, 120), (30, 40), (300, 300, 83.2 - 80, 56.4 - 30)),
        # the message's size is that of the images, and binning makes it too small; K is the sensor's all the same
        ((2560, 1920), (4, 4), (0, 0, 0, 0), (480, 640), (75, 75, 332.8, 225.6)),
    ],
)  # fmt: skip
def test_a_matrix_of_the_images_is_not_made_theirs_once_more(rectified, calibrated, binning, roi, size, expected):
    message = info(**centred(*calibrated), binning=binning, roi=roi)
    lens = read_lens(message, size, rectified)
    assert numbers(lens) == pytest.approx(expected)
    (remark,) = lens.remarks
    assert remark.startswith("P" if rectified else "K") and f"middle of {calibrated[0]} x {calibrated[1]}" in remark


@pytest.mark.parametrize("roi", [(0, 0, 0, 0), (0, 0, 64, 48), (560, 420, 80, 60), (300, 0, 20, 480)])
@pytest.mark.parametrize("binning", [(0, 0), (2, 2), (4, 4), (1, 2)])
def test_a_matrix_of_the_sensor_is_believed_wherever_the_region_lies(roi, binning):
    message = info(**centred(640, 480), binning=binning, roi=roi)
    lens = read_lens(message, image_size_of(message), rectified=False)
    every = max(1, binning[0]), max(1, binning[1])
    assert lens.remarks == ()
    assert numbers(lens) == pytest.approx(
        (300 / every[0], 300 / every[1], (332.8 - roi[0]) / every[0], (225.6 - roi[1]) / every[1])
    )


@pytest.mark.parametrize("scale", [2.0, 3.0, 6.0])
def test_a_matrix_of_much_larger_images_is_refused_with_their_size(scale):
    axis = f"({332.8 * scale:.1f}, {225.6 * scale:.1f})"
    with refusal(LensError, "", axis, "640 x 480", cure=["calibrate"]) as error:
        read_lens(info(**centred(640 * scale, 480 * scale)), (480, 640), rectified=False)
    wide, high = re.search(r"calibration of (\d+) x (\d+)", str(error.value)).groups()
    assert int(wide) == pytest.approx(640 * scale, rel=0.06) and int(high) == pytest.approx(480 * scale, rel=0.06)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.6, 1.5])
def test_a_matrix_of_smaller_images_is_said(scale):
    lens = read_lens(info(**centred(640 * scale, 480 * scale)), (480, 640), rectified=False)
    (remark,) = lens.remarks
    assert "far from their middle" in remark and "calibration of" in remark
    assert numbers(lens) == pytest.approx((300, 300, 332.8 * scale, 225.6 * scale))  # as the message says


def test_an_axis_that_is_off_in_one_direction_is_no_other_size():
    for x, y in ((600.0, 240.0), (320.0, 20.0), (-50.0, 240.0), (900.0, 200.0)):  # as of images that were cut
        lens = read_lens(info(k=[300.0, 0, x, 0, 300, y, 0, 0, 1]), (480, 640), rectified=False)
        assert (lens.cx, lens.cy) == (x, y)
        (remark,) = lens.remarks
        assert "cut out of larger ones" in remark and "calibration of" not in remark


def test_where_the_sensors_size_is_not_said_a_region_tells_nothing_of_the_axis():
    message = info(0, 0, **centred(2000, 2000), roi=(0, 0, 64, 48))
    assert read_lens(message, (48, 64), rectified=False).remarks == ()
    message = info(0, 0, **centred(640, 480), binning=(2, 2))
    assert numbers(read_lens(message, (240, 320), rectified=False)) == pytest.approx((150, 150, 166.4, 112.8))


def test_the_second_camera_of_a_pair_and_a_turning_rectification_are_said_of_rectified_images_only():
    cos, sin = 0.9998477, 0.0174524  # of one degree
    turned = [cos, 0, sin, 0, 1, 0, -sin, 0, cos]
    second = [280.0, 0, 320, -28.0, 0, 281, 240, 0, 0, 0, 1, 0]
    for message, word in ((info(p=second), "0.100 m"), (info(r=turned), "1.0 degrees")):
        (remark,) = read_lens(message, (480, 640), rectified=True).remarks
        assert word in remark and "frame_id" in remark
        assert read_lens(message, (480, 640), rectified=False).remarks == ()
    assert read_lens(info(r=EMPTY9), (480, 640), rectified=True).remarks == ()
