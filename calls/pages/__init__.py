"""The pages around the calls: neighbours, endpoints, notices and the address book."""
