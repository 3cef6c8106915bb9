// An immutable map from text to values, in the order of its keys: what changed is copied along one
// path (O(log n)), all the rest is shared. A weight-balanced tree.
#pragma once
