"""Networks: tensors in, tensors out. The modules beside this file travel to the Hub."""
