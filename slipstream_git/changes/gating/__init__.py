"""Gates: what judges a tree before it lands, and what was judged before."""
