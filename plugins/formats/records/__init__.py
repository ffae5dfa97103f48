"""What a record of a data set says, in all the ways in which data sets say it."""
