"""Policy over REST, for repositories and their pipelines: documents, change sets, plan and apply."""
