"""How far real frames are from imagined ones, and the limit above which the imagine node warns.

In random scenes of the simulated arms, one plan is imagined and executed, and the frames are compared. The error of a
frame is the RMS difference of the latents, divided by the error that the model itself expects; a plan's figure is the
largest such ratio over 4 frames in a row. The limit is the conformal quantile of these figures: at most the share
--false-alarms of further plans reaches it, as long as the model fits.

Further scenes say how often that is a false alarm, and what the limit notices: a camera that was bumped (by 3 degrees
and 2 cm, before the plan or 1 s into it, and by 1 degree and 1 cm), an object that appears 1 s into the plan, and a
robot that is taken for another one.

--write puts the limits into the model's card. The node then compares while a plan that it handed on is executed.

A second part needs no plan and imagines nothing: is the robot, drawn from its description and its joint states, where
the camera sees it? Its figure is the misfit of the outline over 2 s, its limit the conformal quantile for the share
--fit-false-alarms of plans of 4 s. Further scenes say what it notices: a bumped camera, another robot, and a joint that
is 0.1 rad from where joint states say. The node judges this whenever images and joint states arrive.

For another robot than the simulated ones, --fit-data takes recorded episodes, cut into pieces of 4 s.

--scenes 0 leaves the first part out, --fit-scenes 0 the second.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.errors import UserError
from astra_ros.evaluation.requests import PredictionRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  astra monitor --model small --scenes 200 --write\n"
    add_options(parser, PredictionRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.prediction_limits import measure_prediction
    from astra_ros.evaluation.recorded_robot_fit import measure_recorded_fit
    from astra_ros.evaluation.robot_fit import check_fit, measure_robot_fit

    request = request_of(PredictionRequest, args)
    measured = "leave it out, or measure this part"
    if not request.scenes:
        refuse_unused(args, ["tests", "false_alarms", "out"], "--scenes 0 leaves the first part out", measured)
        if request.fit_data:
            refuse_unused(args, ["robots", "first_seed"], "nothing is played in the simulator")
    if request.fit_data:
        refuse_unused(args, ["fit_scenes", "fit_tests"], "--fit-data takes episodes in place of scenes")
    elif not request.fit_scenes:
        problem = "--fit-scenes 0 leaves the second part out"
        refuse_unused(args, ["fit_tests", "fit_false_alarms", "fit_out"], problem, measured)
        if not request.scenes:
            raise UserError("both parts are left out", thing="--scenes 0 --fit-scenes 0", cure="leave one of them out")
    if request.fit_data or request.fit_scenes:
        check_fit(request)  # now, not after the first part
    if request.scenes:
        measure_prediction(request)
    if request.fit_data:
        measure_recorded_fit(request, request.fit_data)
    elif request.fit_scenes:
        measure_robot_fit(request)
    return 0
