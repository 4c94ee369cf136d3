"""Building blocks of the methods: attention, fusion, pooling, heads."""
