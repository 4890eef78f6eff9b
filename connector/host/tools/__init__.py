"""Third-party tools through Kopir's own platform: which a school lets in, what they are told, what they may write."""
