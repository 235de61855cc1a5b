"""All messages of a bag, read in its order."""

from bag_maker import ns

from astra_ros.datasets.rosbag.bag import Bag


def read(path):
    """Topic -> (times in s from T0, bytes) in the order read, and the notes."""
    found = {}
    with Bag(path) as bag:
        for topic, received_ns, raw in bag.messages([topic.name for topic in bag.topics]):
            times, data = found.setdefault(topic, ([], []))
            times.append((received_ns - ns(0)) / 1e9)
            data.append(raw)
        assert {topic.name: topic.count for topic in bag.topics} == {
            topic: len(times) for topic, (times, _) in found.items()
        }
        return found, list(bag.notes)
