"""What people look at: contact sheets, videos and tables. No ROS and no network in here."""
