"""Writing files and folders so that nothing half written stays and nothing foreign is lost."""
