"""Release manifests, the signed repository and its publications."""
