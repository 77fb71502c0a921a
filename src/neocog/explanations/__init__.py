"""Why a network answers as it does, for any torch module: numbers taken apart, maps, and the checks on them.

network       the layers of a network under the names people use
watching      what goes into modules and comes out of them while a picture passes
trace         one number of any layer, product by product; arithmetic, mixing, single, terms and walking serve it
fields        which pixels a number depends on: by arithmetic, and measured
attributions  maps of what speaks for a class; questions and methods serve it
checks        whether such a map can be believed
neighbours    the training pictures that the last hidden layer takes for most alike
flips         the smallest change that turns the answer

Everything here takes a module and a prepared picture and returns numbers; who reads runs is `insight`, who draws is
`plots`.
"""
