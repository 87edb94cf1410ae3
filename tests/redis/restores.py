FACTS = []
