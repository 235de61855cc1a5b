"""How good a model is: figures on held-out scenes, action following, ranking, speed."""
