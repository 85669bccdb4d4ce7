"""The pure core: what is decided about a post, free of Kafka, Faust, tweepy and scikit-learn."""
