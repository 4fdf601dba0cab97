"""oned's XML-RPC: decoding, the table of methods, encoding. It decides nothing about objects."""
