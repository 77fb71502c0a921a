"""Named kernels, and learning a kernel from examples."""
