"""Bodies of requests: read for a few members while they come, and edited byte by byte.

reading     whatever the type and coding -> members
members     what is wanted of any;  top_level  of a JSON object;  forms  of a multipart form
splice      edits of single values;  rules  what an operator wants set and removed
"""
