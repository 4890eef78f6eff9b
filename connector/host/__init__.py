"""What a plugin stands on: activities, results, links and rosters, over the database and the protocol."""
