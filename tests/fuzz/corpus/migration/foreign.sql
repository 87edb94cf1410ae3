/* x */ -- migrate:up
-- +goose Up
