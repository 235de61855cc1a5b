"""The names of what a world model's heads read from an imagined frame."""

OBSTACLE_CONTACT = "obstacle_contact"
OBJECT_CONTACT = "object_contact"
OFF_ROAD = "off_road"
OBJECT_POSITION = "object_position"
TOOL_POSITION = "tool_position"
NEAREST_OBSTACLE = "nearest_obstacle"

# One number a frame: the probability of the event in the interval that ends at the frame.
EVENTS = (OBSTACLE_CONTACT, OBJECT_CONTACT, OFF_ROAD)
# Three numbers a frame, m.
POSITIONS = (OBJECT_POSITION, TOOL_POSITION, NEAREST_OBSTACLE)
OUTCOMES = EVENTS + POSITIONS
