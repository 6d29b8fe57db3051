"""From a dataset's tables or records to what training reads: conversion, ground-truth database, checks."""
